import jwt
from jose import jwt as jose_jwt


def read(token, key):
    # ruleid: unverified-jwt
    jwt.decode(token, options={"verify_signature": False})
    # ruleid: unverified-jwt
    jwt.decode(token, key, algorithms=["HS256"], options={"verify_exp": True, "verify_signature": False})
    # ruleid: unverified-jwt
    jwt.decode(token, key, algorithms=["HS256", "none"])
    # ruleid: unverified-jwt
    jwt.decode(token, verify=False)
    # ruleid: unverified-jwt
    jwt.encode({"sub": "ada"}, "", algorithm="none")
    # ruleid: unverified-jwt
    jose_jwt.get_unverified_claims(token)
    # ok: unverified-jwt
    jwt.decode(token, key, algorithms=["HS256"])
    # ok: unverified-jwt
    jwt.decode(token, key, algorithms=["RS256"], options={"verify_aud": False})
    # ok: unverified-jwt
    jwt.encode({"sub": "ada"}, key, algorithm="HS256")
