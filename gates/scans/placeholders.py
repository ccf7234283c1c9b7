"""What stands where a secret should, and is none: words that say so, names, templates, references and hashes.

Each pattern is for a whole value, and in the syntax of Rust's `regex`: Kingfisher gets them (tasks/scans/secrets.py),
so they hold for the rules of vendors, too. It tries them on all that a rule matched as well, with the name before a
value, so none may fit that. None says how random a value is.
"""

# Words by which people say what to put there, and words of the trade. A value made of nothing else is no secret; one
# with a random tail (django-insecure-8f3k...) is.
_WORDS = """
    a access account ad add admin administrator alg algorithm an and any anything api app application are as auth
    authentication authorization backend bar basic baz be bearer big build but by can cert certificate change
    changed changeit changeme ci client code company complex config confirm connection cookie credential credentials
    csrf current custom data database db debug default demo dev develop developer development disabled django do
    docker dont dummy empty enabled encryption enter env environ environment error example expired fake fastapi
    fernet field file fixed fixme flask foo for forgot form from frontend generate generated get github gitlab given
    go goes google grant guest hash hashed header hello help here hex hidden hmac host http https i id in incorrect
    input insecure insert invalid ipsum is it itsdangerous json jwks jwt kept key keys label later length like load
    local localhost login long lorem main make manager master me message min minimum missing mock mongo mongodb must
    my mysecret mysql name never new no none not nothing null number oauth of ok old on one only openssl option or
    org organization origin our owner param parameter passphrase passw passwd password passwordhash passwords path
    personal pg placeholder please post postgres postgresql private prod production project provider public put pwd
    python rabbitmq rand random read real realistic redacted redis refresh remove repeat replace replaced required
    reset root salt same sample sandbox secret secrets secure security see server service session sessionid set
    setting settings shared shhh should sign signing simple some something stage staging store string stripe strong
    super supersecret sure temp template temporary test tester testing tests text than that the this time title to
    todo token tokens top totally try two type unsafe unset unused update uri url use used user username users value
    values var variable vault very want web webhook will with word world write wrong xyz you your yours yourself zzz
"""
WORDS = tuple(sorted(set(_WORDS.split()), key=lambda word: (-len(word), word)))
_WORD = "|".join(WORDS)
_SAME = "|".join(f"{one}{{3,}}" for one in "abcdefghijklmnopqrstuvwxyz0123456789")

# A value, without what divides a name or an address from it.
_REST = r"(?:/?[^\s\"'/])*"
PLACEHOLDERS = (
    # Nothing but such words, and a short number: your-api-key-here, test1234, YOUR_ACCESS_TOKEN_2, "changeme!".
    rf"(?i)^[\W_]*(?:(?:{_WORD})[\W_]*)*(?:v?[0-9]{{1,4}})?[\W_]*$",
    # Known as none by everybody: hunter2, s3cr3t, p@ssw0rd, abc123, 123456, 0000, xxxx-xxxx, sk-xxxx, 1.2.3, abc...
    r"(?i)^(?:hunter2?|s[e3]cr[e3]t|p[a@4][s$5]{2}w[o0]rd|qwerty|asdf(?:gh)?)[0-9!]{0,4}$",
    r"(?i)^(?:a1b2c3(?:d4(?:e5(?:f6)?)?)?|abc(?:d(?:ef?(?:gh?)?)?)?[-_]?[0-9]{0,9}|[0-9]{1,9}[-_]?abc(?:d(?:ef?)?)?)$",
    rf"(?i)^(?:[a-z]{{1,8}}[-_:])*(?:{_SAME}|[-_ .:/])+$",
    r"^(?:[0-9.,:/ +-]*|[^\s\"']*(?:\.\.\.|\u2026))$",
    # A template in it: ${NAME}, {{ name }}, {% .. %}, #{name}, {name}, %(name)s; and what is to be filled in: <name>.
    rf"^{_REST}(?:\$\{{[A-Za-z_][A-Za-z0-9_]*(?:[:?+-][^{{}}]*)?(?:\}}|$)|\{{\{{[^{{}}]*(?:\}}\}}|$)|\{{%){_REST}$",
    rf"^{_REST}(?:#\{{[A-Za-z_.]{{2,}}\}}|%\([A-Za-z_]{{2,}}\)[sdr]|\{{[A-Za-z_][A-Za-z0-9_.]+\}}){_REST}$",
    r"^(?:<[^>]*>|\[[^\]]*\]|\$[A-Z_][A-Z0-9_]*|\$[a-z_]+|\$\([^()]*\)|%[A-Za-z_]+%?|__[A-Za-z_]+__|@[A-Za-z_]+@)$",
    # Names: of a variable, a function, a class, a module, a file, a type of content, a person's address.
    r"^[A-Z]{2,}[0-9]?(?:_[A-Z0-9]+){1,9}$",
    r"^_?[a-z]+(?:[_.][a-z]+){1,9}$",
    r"^(?:[A-Z]?[a-z]+)(?:[A-Z][a-z]{2,}){1,6}$",
    r"^[a-z]{2,12}-[a-z]{2,12}$",
    r"^[a-z]+(?:/[a-z.+-]+){1,9}$",
    r"^[A-Za-z0-9_./-]+\.(?:pem|key|crt|json|ya?ml|toml|ini|txt|env|py|html|js|ts)$",
    r"^[A-Za-z0-9_.+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z]{2,}){1,3}$",
    # Parts of a program: a name in a module, a call, a type, a regular expression, a line of /etc/passwd.
    r"^[A-Za-z_]{1,40}(?:\.[A-Za-z_]{1,40}){1,9}[,;]?$",
    r"^(?:[A-Za-z_]{2,40}(?:\.[A-Za-z0-9_]{1,40}){1,9}\([^\s\"']*|[A-Za-z_]{4,40}\((?:[^()\"']*\)[,;]?)?)$",
    r"^[A-Za-z.]{2,40}\[[A-Za-z., |]*\]$",
    rf"^{_REST}(?:\[\^?[A-Za-z0-9]-[A-Za-z0-9]|\(%[sdr]\)){_REST}$",
    r"^[a-z_]{1,32}:[x*]?:[0-9]+:[^\s\"']*$",
    # A word of any language by itself is a label.
    r"^(?:[^\W\d_]?[^\W\d_A-Z]{0,12}|[^\W\d_a-z][^\W\d_A-Z]{0,19})[*:!?.]?$",
    # Where the secret is, and what was made of one.
    r"^(?:arn|block|vault|ssm|env|file|op|sm|secretsmanager|aws-sm|gcp-sm|awskms|kms|ref\+[a-z]+|secretref):[^\s\"']*$",
    r"^(?:\$(?:2[abxy]|argon2[a-z]*|scrypt|pbkdf2[a-z0-9-]*|[156y])\$|pbkdf2_|argon2|bcrypt|\{S?SHA)[^\s\"']*$",
    r"^sha(?:1|256|384|512)[:$-][^\s\"']*$",
)
