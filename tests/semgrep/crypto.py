import hashlib
import random
import secrets
import ssl

import httpx
import requests
from Crypto.Cipher import AES, DES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def passwords(password, salt, user):
    # ruleid: weak-password-hash
    hashlib.sha256(password.encode()).hexdigest()
    # ruleid: weak-password-hash
    hashlib.sha512(f"{salt}{user.password}".encode())
    # ok: weak-password-hash
    hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)
    # ok: weak-password-hash
    hashlib.sha256(b"a file's content")


def digests(content):
    # ruleid: weak-hash
    hashlib.md5(content)
    # ruleid: weak-hash
    hashlib.sha1(content)
    # ruleid: weak-hash
    hashlib.new("md5", content)
    # ok: weak-hash
    hashlib.sha256(content)
    # ok: weak-hash
    hashlib.md5(content, usedforsecurity=False)


def ciphers(key, content):
    # ruleid: weak-cipher
    DES.new(key, DES.MODE_CBC)
    # ruleid: weak-cipher
    AES.new(key, AES.MODE_ECB)
    # ruleid: weak-cipher
    Cipher(algorithms.AES(key), modes.ECB())
    # ruleid: weak-cipher
    Cipher(algorithms.TripleDES(key), modes.CBC(content))
    # ok: weak-cipher
    Cipher(algorithms.AES(key), modes.GCM(content))
    # ok: weak-cipher
    AES.new(key, AES.MODE_GCM)


def reset_token():
    # ruleid: guessable-token
    return "".join(random.choice("abc") for _ in range(20))


def tokens(user):
    # ruleid: guessable-token
    token = random.randint(0, 999999)
    # ruleid: guessable-token
    user.otp = str(random.random())
    # ruleid: guessable-token
    user.save(session_id=random.getrandbits(64))
    # ok: guessable-token
    token = secrets.token_urlsafe()
    # ok: guessable-token
    delay = random.random()
    # ok: guessable-token
    token = random.SystemRandom().choice("abc")
    return token, delay


def connections(session):
    # ruleid: unverified-tls
    httpx.get("https://example.com", verify=False)
    # ruleid: unverified-tls
    requests.post("https://example.com", timeout=5, verify=False)
    # ruleid: unverified-tls
    httpx.Client(verify=False)
    # ruleid: unverified-tls
    session.verify = False
    # ruleid: unverified-tls
    ssl._create_unverified_context()
    context = ssl.create_default_context()
    # ruleid: unverified-tls
    context.check_hostname = False
    # ruleid: unverified-tls
    context.verify_mode = ssl.CERT_NONE
    # ok: unverified-tls
    httpx.get("https://example.com", verify="ca.pem")
    # ok: unverified-tls
    context.verify_mode = ssl.CERT_REQUIRED
