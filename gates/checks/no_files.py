"""By which words tools say that no file was there for them."""

import re

from gates.checks.reports import lines, one_line

LAST = 20_000  # characters of what a tool printed: it says so at its end, and has little to say before
LOOKED = r"(?:analy[sz]|check|collect|examin|inspect|lint|process|scann|scan|test|validat|visit)(?:ed|ing)?"
LOOK = r"(?:analy[sz]e|check|inspect|lint|process|scan|test|validate)"
# What stands between "no" and "files": a kind of file (`Python`, `*.yaml`). "No unused files found" is clean.
BAD = (
    r"(?:backup|bad|baseline|broken|cache|changed|config\w*|conflict\w*|corrupt\w*|dead|duplicate\w*|fail\w*|forbidden|"
    r"ignored?|illegal|infected|invalid|large|leftover|lock|log|malformed|missing|modified|new|obsolete|offending|"
    r"orphan\w*|other|outdated|problem\w*|redundant|settings|skipped|suspicious|temp\w*|unformatted|unlicensed|"
    r"unresolved|unsafe|unsorted|unstaged|untracked|unused|vulnerable|wrong)"
)
FILES = rf"(?:(?!(?:{BAD}|[0-9]+)\b)[\w.*-]+ ){{0,2}}(?:files\b|files? ?\(s\)|file\(s\))"
THINGS = (
    r"(?:(?:[.*][\w.*]+|input|matching|python|source|valid) )?"
    r"(?:items|modules|notebooks|packages|paths|sources|targets|templates|tests)\b"
)
NOUN = rf"(?:{FILES}|{THINGS})"
# "0 files with errors": of files that it looked at.
OF_SOME = r"(?! (?:with|that|which|have|had|has|need\w*|requir\w*|contain\w*|in error)\b)"
PREFIX = r"^\W*(?:[\w.-]+: )?"
ZERO = (
    rf"\b{LOOKED}:? +0 (?:{NOUN}|file\b){OF_SOME}",
    rf"\b(?:on|over|across) 0 {NOUN}{OF_SOME}",
    rf"\bsuggestions in 0 {NOUN}",
    rf"\b0 {NOUN} (?:were |was )?{LOOKED}\b",
    rf"{PREFIX}(?:all done! )?0 files (?:would be )?left unchanged\b",
    rf"{PREFIX}found 0 {NOUN}(?: to \w+)?\W*$",
    rf"\b{NOUN} {LOOKED}: *0\b",
    r"^\W*(?:total |number of )?files: *(?:0|\[\])\W*$",
    r"\btotal lines of code: *0\b",
)
NONE = (
    rf"\bno {NOUN}{OF_SOME}[^.;!?]{{0,60}} (?:found|present|given|matched|specified|provided|checked|linted|ran|run)\b",
    rf"\bno {NOUN} (?:matching|match|matched|found|given|ran)\b",
    rf"\bno {NOUN} to {LOOK}\b",
    rf"{PREFIX}no {NOUN}\W*$",
    rf"{PREFIX}no input {NOUN}",
    r"\bno (?:input |python |source )?file (?:found|given|matched|to check)\b",
    r"\bthere are no (?:\S+ )?files in\b",
    rf"{PREFIX}nothing to (?:do|{LOOK})\b",
    rf"\bnot (?:checking|linting|scanning) any {NOUN}",
    rf"\b(?:skipp|ignor|exclud)(?:ed|ing) all {NOUN}",
    rf"\ball {NOUN} (?:\w+ ){{0,6}}(?:skipped|ignored|excluded)\b",
    r"\bno such file or directory\b",
    rf"{PREFIX}(?:path|file|directory|folder) [^ ]+ (?:does not exist|not found|was not found)\b",
)
SAID = re.compile("|".join((*ZERO, *NONE)), re.I)
# A number of files that it looked at all the same.
SOME = re.compile(rf"\b[1-9][\d,]* (?:\w+ )?(?:{NOUN}|file\b)|\b{NOUN} {LOOKED}: *[1-9]", re.I)


def said_no_files(text: str) -> str:
    """Return what a tool says when it found no file to look at, in its words; "" when it does not."""
    said = (line for line in lines(text[-LAST:]) if SAID.search(line) and not SOME.search(line))
    line = one_line(next(said, ""), 200)
    return line and f'it says "{line}"'
