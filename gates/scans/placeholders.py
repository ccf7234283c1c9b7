"""What stands where a secret should, and is none: words that say so, names, templates, references and hashes.

Each pattern is for a whole value, and in the syntax of Rust's `regex`: Kingfisher gets them (tasks/scans/secrets.py),
so they hold for the rules of vendors, too. It tries them on all that a rule matched as well, with the name before a
value, so none may fit that. None says how random a value is.
"""

# Words by which people say what to put there, and words of the trade. A value made of nothing else is no secret; one
# with a random tail (django-insecure-8f3k...) is.
_WORDS = """
    a access account ad add admin administrator alg algorithm an and any anything api app application are as auth
    authentication authorization backend bar basic baz be bearer before big bit bits build but by bytes can cert
    certificate change changed changeit changeme char chars ci client code company complex config confirm
    connection cookie credential credentials csrf current custom data database db debug default demo dev develop
    developer development disabled django do docker dont dummy empty enabled encryption enter env environ
    environment error example expired fake fastapi fernet field file fixed fixme flask foo for forgot form from
    frontend generate generated generating get github gitlab given go goes google grant guess guest hash hashed header
    hello help here hex hidden hmac host http https i id in incorrect input insecure insert instead invalid ipsum
    is it itsdangerous json jwks jwt just kept key keys label later length letmein like load local localhost login
    long lorem main make manager master me message min minimum minio minioadmin missing mock mongo mongodb must my
    mysecret mysql name never new no none not nothing null number oauth of ok old on one only openai openssl
    option or org organization origin our own owner param parameter pass passphrase passw passwd password
    passwordhash passwords path personal pg placeholder please post postgres postgresql private prod production
    project provider public put pwd python rabbitmq rand random read real realistic redacted redis refresh remove
    repeat replace replaced required reset root salt same sample sandbox secret secrets secure security see server
    service session sessionid set setting settings shared shhh should sign signing simple some something stage
    staging store string stripe strong super supersecret sure temp template temporary test tester testing tests
    text than that the this time title to todo token tokens top totally try two type unsafe unset unused update
    uri url use used user username users value values var variable vault very want web webhook whatever will with
    word world write wrong xyz you your yours yourself zzz
"""
WORDS = tuple(sorted(set(_WORDS.split()), key=lambda word: (-len(word), word)))
_SPELLED = r"p[a@4][s$5]{2}w[o0]rd"
_WORD = "|".join((*WORDS, _SPELLED))
_SAME = "|".join(f"{one}{{3,}}" for one in "abcdefghijklmnopqrstuvwxyz0123456789")
_IN_ORDER = "abcd(?:ef)?|efgh|ijkl|mnop|qrst|uvwx|1234(?:56(?:78)?)?|5678|9012"

# A text that can be read: words, of one case or with capitals within, and short numbers, each behind a sign.
_SIGN = r"[^A-Za-z0-9\s\"'`=]"
_READ = r"(?:(?:[A-Z]?[a-z]+(?:[A-Z][a-z]{2,})*|[A-Z]+s?)[0-9]{0,4}|[0-9]{1,8}[a-z]{0,2})"
_TEXT = rf"{_SIGN}*(?:{_READ}{_SIGN}+)*(?:{_READ})?"
_PROSE = rf"(?:{_SIGN}|\s)*(?:{_READ}(?:{_SIGN}|\s)+)*(?:{_READ})?"
# A template: ${NAME}, ${NAME:-a default that can be read}, $NAME, {{ name }}, {% .. %}, #{name}, {name}, %(name)s, %s.
_VARIABLE = r"(?:[A-Z_][A-Z0-9_]*|[a-z_][a-z0-9_]*|[a-z]+(?:[A-Z][a-z]+)+[0-9]{0,2})"
_SHELL = rf"\$\{{[A-Za-z_][A-Za-z0-9_.]*(?::?[?+][^{{}}]*|:?[-=:]?(?:{_TEXT}|\$\{{[A-Za-z0-9_]+\}}))\}}"
_TEMPLATE = (
    rf"(?:{_SHELL}|\$\$?{_VARIABLE}|\{{\{{[^{{}}]*\}}\}}|\{{%[^%]*%\}}|#\{{[A-Za-z_.0-9]{{2,}}\}}"
    r"|%\([A-Za-z_]{2,}\)[sdr]|%[sdr]|\{(?:[A-Za-z_][A-Za-z0-9_.!:()\[\]]*)?\}|\{[A-Za-z_][A-Za-z0-9_.()]*[(\[]$)"
)
_CLASS = r"\[[^\]]*[A-Za-z0-9]-[A-Za-z0-9][^\]]*\](?:\{[0-9,]*\}|[+*?])?"
_REGEX_TEXT = _TEXT.replace("`=]", "`]")
_HEX_OR_BASE64 = {1: (40, 27), 256: (64, 43), 384: (96, 64), 512: (128, 86)}
_DIGEST = "|".join(
    rf"sha{bits}[:$-](?:[0-9a-f]{{{digits}}}|[A-Za-z0-9+/]{{{letters}}}={{0,2}})"
    for bits, (digits, letters) in _HEX_OR_BASE64.items()
)
_SAYS_SO = "example|sample|dummy|placeholder|change-?me|fake|insecure|not-?a-?(?:real-?)?secret|your"
_STORES = (
    "block|vault|ssm|env|file|op|sm|k8s|secretsmanager|aws-sm|gcp-sm|gcpkms|awskms|kms|keyvault|doppler|sops"
    r"|ref\+[a-z0-9]+|secretref"
)

PLACEHOLDERS = (
    # Nothing but such words, and short numbers: your-api-key-here, test1234, YOUR_ACCESS_TOKEN_2, your-256-bit-secret.
    rf"(?i)^[\W_]*(?:(?:{_WORD}|[0-9]{{1,3}}[\W_])[\W_]*)*(?:v?[0-9]{{1,4}})?[\W_]*$",
    # A project's name before two of them: shop-secret-key.
    rf"^[a-z]{{2,12}}(?:[-_.](?:{_WORD})){{2,6}}$",
    # The same as the password of an address.
    rf"(?i)^[a-z][a-z0-9+.-]*://[^\s:/@]*:(?:(?:{_WORD})[-_.!]*)+[0-9]{{0,4}}@[^\s\"'@]*$",
    # Known as none by everybody: hunter2, s3cr3t, p@ssw0rd, abc123, 123456, 0000, xxxx-xxxx, sk-xxxx, 1.2.3, abc...
    rf"(?i)^(?:(?:hunter2?)+|s[e3]cr[e3]t|{_SPELLED}|qwerty|asdf(?:gh)?)[0-9!]{{0,4}}$",
    r"(?i)^(?:a1b2c3(?:d4(?:e5(?:f6)?)?)?|abc(?:d(?:ef?(?:gh?)?)?)?[-_]?[0-9]{0,9}|[0-9]{1,9}[-_]?abc(?:d(?:ef?)?)?)$",
    rf"(?i)^(?:[a-z]{{1,8}}[-_:])*(?:{_SAME}|{_IN_ORDER}|[-_ .:/])+$",
    r"^(?:[0-9.,:/ +-]*|[^\s\"']{0,16}(?:\.\.\.|\u2026)|eyJ[A-Za-z0-9_-]*(?:\.\.\.|\u2026))$",
    r"^(?:dXNlcjpwYXNzd29yZA==|QWxhZGRpbjpvcGVuIHNlc2FtZQ==|wJalrXUtnFEMI[A-Za-z0-9/+]*EXAMPLEKEY)$",
    # A text that can be read, and says so; one of another script.
    rf"^{_TEXT}(?i:{_SAYS_SO})(?:{_SIGN}{_TEXT})?$",
    rf"^{_TEXT}[^\x00-\x7f]{_TEXT}$",
    # A text between quotes that has blanks (a rule lays the quote before it), and can be read.
    rf"^[\"'`](?:{_PROSE}{_TEMPLATE})*{_PROSE}$",
    # A template with no more than what can be read around it; what is to be filled in: <name>, [name], __NAME__.
    rf"^(?:{_TEXT}{_TEMPLATE})+{_TEXT}$",
    r"^[\"'`]?\$\(.*\)$",
    r"^\{\{[A-Za-z_.]*$",
    rf"^[\"'`]?(?:<{_PROSE}>{_TEXT}|\[{_PROSE}\]|%[A-Za-z_]+%?|__(?:{_READ}_+)+|@(?:{_READ}_*)+@)$",
    # Names: of a variable, a function, a class, a module, a file, a type of content, a person's address.
    r"^(?:[A-Z]+[0-9]{0,4}|[A-Z][0-9][A-Z])(?:_(?:[A-Z]+[0-9]{0,4}|[0-9]{1,4})){1,9}$",
    r"^_?[a-z]+[0-9]{0,2}(?:[_.](?:[a-z]+[0-9]{0,2}|[0-9]{1,4}[_.][a-z]+[0-9]{0,2}|[0-9]{1,2})){1,9}$",
    r"^(?:[A-Z]?[a-z]+)(?:[A-Z][a-z]{2,}){1,6}$",
    r"^[A-Z]?[a-z]{2,12}-[A-Z]?[a-z]{2,12}$",
    rf"^{_TEXT}/{_TEXT}$",
    rf"^{_TEXT}\.(?:pem|key|crt|json|ya?ml|toml|ini|txt|env|py|html|js|ts)$",
    r"^[A-Za-z0-9_.+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z]{2,}){1,3}$",
    r"^\*[A-Za-z][a-z0-9_-]*$",
    # Parts of a program: a name in a module, a call, a type, a regular expression, a line of /etc/passwd.
    r"^[A-Za-z_]{1,40}(?:\.[A-Za-z_]{1,40}){1,9}(?::[A-Za-z_.]{1,80})?[,;]?$",
    r"^(?:[A-Za-z_]{2,40}(?:\.[A-Za-z0-9_]{1,40}){1,9}\([^\s\"']*|[A-Za-z_]{4,40}\((?:[^()\"']*\)[,;]?)?)$",
    r"^[A-Za-z.]{2,40}\[[A-Za-z., |]*\]$",
    rf"^(?:{_REGEX_TEXT}{_CLASS})+{_REGEX_TEXT}$",
    r"^[a-z_]{1,32}:[x*]?:[0-9]+:[0-9]*:[^\s\"']*$",
    # A word of any language by itself is a label.
    r"^(?:[^\W\d_]?[^\W\d_A-Z]{0,12}|[^\W\d_a-z][^\W\d_A-Z]{0,19})[*:!?.]?$",
    # Where the secret is, and what was made of one. The address of a contract is public.
    rf"^@?(?:{_STORES}):{_TEXT}$",
    r"^(?:type=secret,)?id=[a-z0-9_-]+,(?:src|source|env|target|dst)=[^\s\"']*$",
    r"^arn:[^\s\"']*$",
    r"^(?:ENC\[[A-Z0-9_]+,[^\]]*\]?|\$ANSIBLE_VAULT;[0-9.]+;[A-Za-z0-9;]+)$",
    r"^(?:vault:v[0-9]{1,3}:[A-Za-z0-9+/=]+|\{cipher\}.*)$",
    r"^(?:\$(?:2[abxy]|argon2[a-z]*|scrypt|pbkdf2[a-z0-9-]*|[156y])\$|\{S?SHA[0-9]*\})[^\s\"']*$",
    r"^(?:pbkdf2_sha[0-9]+|pbkdf2:sha[0-9]+:[0-9]+|scrypt:[0-9:]+)\$[^\s\"']*$",
    r"^(?:argon2(?:id|i|d)?|bcrypt(?:_sha256)?|sha1)\$[^\s\"']*$",
    rf"^(?:{_DIGEST}|0x[0-9a-fA-F]{{40}}|pbkdf2_sha(?:1|256|512)|bcrypt_sha256)$",
)
