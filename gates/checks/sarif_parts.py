"""The parts of SARIF 2.1.0: what a verdict depends on as fields, and by name what it does not."""

from typing import ClassVar, Literal

from pydantic import Field, TypeAdapter

from gates.strict_json import Part

LARGEST = 2**31
Level = Literal["error", "warning", "note", "none"]


class _Bag(Part):
    MEANS_NOTHING: ClassVar = frozenset({"properties"})


class _String(_Bag):
    MEANS_NOTHING: ClassVar = frozenset({"properties", "markdown"})
    text: str = ""


class Message(_Bag):
    """A text, or the name of one that stands with the rule."""

    text: str = ""
    markdown: str = ""
    id: str = ""
    arguments: list[str] = Field(default_factory=list)


class ArtifactLocation(_Bag):
    """Where a file lies: an address, perhaps against a base, or the file's number in the run's list."""

    MEANS_NOTHING: ClassVar = frozenset({"properties", "description"})
    uri: str = ""
    base: str = Field("", alias="uriBaseId")
    index: int = Field(-1, ge=-1)


class _Region(_Bag):
    MEANS_NOTHING: ClassVar = frozenset(
        "properties startColumn endLine endColumn charOffset charLength byteOffset byteLength snippet message "
        "sourceLanguage".split()
    )
    line: int = Field(0, alias="startLine", ge=0, le=LARGEST)


class Physical(_Bag):
    """A place in a file."""

    MEANS_NOTHING: ClassVar = frozenset({"properties", "address", "contextRegion"})
    artifact: ArtifactLocation = Field(default_factory=ArtifactLocation, alias="artifactLocation")
    region: _Region = Field(default_factory=_Region)


class _Location(_Bag):
    MEANS_NOTHING: ClassVar = frozenset(
        {"properties", "id", "logicalLocations", "message", "annotations", "relationships"}
    )
    physical: Physical = Field(default_factory=Physical, alias="physicalLocation")


class _OfComponent(_Bag):
    index: int = Field(-1, ge=-1)
    guid: str = ""
    name: str = ""


class Reference(_Bag):
    """Which rule, or which kind of notification, is meant."""

    id: str = ""
    index: int = Field(-1, ge=-1)
    guid: str = ""
    component: _OfComponent | None = Field(None, alias="toolComponent")


class _Configuration(_Bag):
    MEANS_NOTHING: ClassVar = frozenset({"properties", "enabled", "rank", "parameters"})
    level: Level = "warning"


class Descriptor(_Bag):
    """A rule, or a kind of notification, with the level that its results have."""

    MEANS_NOTHING: ClassVar = frozenset(
        "properties deprecatedIds deprecatedGuids name deprecatedNames shortDescription fullDescription helpUri "
        "help relationships".split()
    )
    id: str = ""
    guid: str = ""
    configuration: _Configuration = Field(default_factory=_Configuration, alias="defaultConfiguration")
    strings: dict[str, _String] = Field(default_factory=dict, alias="messageStrings")


class Override(_Bag):
    """The level that an invocation sets for a rule, or for a kind of notification."""

    configuration: _Configuration
    descriptor: Reference


class _Suppression(_Bag):
    MEANS_NOTHING: ClassVar = frozenset({"properties", "guid", "justification", "location"})
    kind: Literal["inSource", "external"]
    status: Literal["accepted", "underReview", "rejected"] = "accepted"


class Result(_Bag):
    """One result. Without a `level` its rule sets it."""

    MEANS_NOTHING: ClassVar = frozenset(
        "properties analysisTarget guid correlationGuid occurrenceCount partialFingerprints fingerprints stacks "
        "codeFlows graphs graphTraversals relatedLocations rank attachments hostedViewerUri workItemUris provenance "
        "fixes taxa webRequest webResponse".split()
    )
    rule_id: str = Field("", alias="ruleId")
    rule_index: int = Field(-1, alias="ruleIndex", ge=-1)
    rule: Reference | None = None
    kind: Literal["notApplicable", "pass", "fail", "review", "open", "informational"] = "fail"
    level: Level | None = None
    message: Message = Field(default_factory=Message)
    locations: list[_Location] = Field(default_factory=list)
    suppressions: list[_Suppression] = Field(default_factory=list)
    baseline: Literal["new", "unchanged", "updated", "absent"] = Field("new", alias="baselineState")


class Notification(_Bag):
    """What a tool tells of its own run."""

    MEANS_NOTHING: ClassVar = frozenset(
        {"properties", "locations", "threadId", "timeUtc", "exception", "associatedRule"}
    )
    message: Message = Field(default_factory=Message)
    level: Level | None = None
    descriptor: Reference | None = None


class Invocation(_Bag):
    """How a tool was run, and how that ended."""

    MEANS_NOTHING: ClassVar = frozenset(
        "properties commandLine arguments responseFiles startTimeUtc endTimeUtc exitCodeDescription machine account "
        "processId executableLocation workingDirectory environmentVariables stdin stdout stderr stdoutStderr".split()
    )
    successful: bool = Field(alias="executionSuccessful")
    execution: list[Notification] = Field(default_factory=list, alias="toolExecutionNotifications")
    configuration: list[Notification] = Field(default_factory=list, alias="toolConfigurationNotifications")
    overrides: list[Override] = Field(default_factory=list, alias="ruleConfigurationOverrides")
    kinds: list[Override] = Field(default_factory=list, alias="notificationConfigurationOverrides")
    start_failure: str = Field("", alias="processStartFailureMessage")
    exit_code: int = Field(0, alias="exitCode")
    signal: str = Field("", alias="exitSignalName")
    signal_number: int = Field(0, alias="exitSignalNumber")

    @property
    def notifications(self) -> list[Notification]:
        """Return all that the tool tells of its own run."""
        return [*self.execution, *self.configuration]


class Component(_Bag):
    """The tool itself, or what extends it."""

    MEANS_NOTHING: ClassVar = frozenset(
        "properties organization product productSuite shortDescription fullDescription fullName version "
        "semanticVersion dottedQuadFileVersion releaseDateUtc downloadUri informationUri globalMessageStrings taxa "
        "locations language contents isComprehensive localizedDataSemanticVersion "
        "minimumRequiredLocalizedDataSemanticVersion associatedComponent translationMetadata "
        "supportedTaxonomies".split()
    )
    guid: str = ""
    name: str = ""
    rules: list[Descriptor] = Field(default_factory=list)
    notifications: list[Descriptor] = Field(default_factory=list)


class Tool(_Bag):
    """A tool, with what extends it."""

    driver: Component = Field(default_factory=Component)
    extensions: list[Component] = Field(default_factory=list)


class _Conversion(_Bag):
    MEANS_NOTHING: ClassVar = frozenset({"properties", "analysisToolLogFiles"})
    tool: Tool = Field(default_factory=Tool)
    invocation: Invocation | None = None


class _Artifact(_Bag):
    MEANS_NOTHING: ClassVar = frozenset(
        "properties description parentIndex offset length roles mimeType contents encoding sourceLanguage hashes "
        "lastModifiedTimeUtc".split()
    )
    location: ArtifactLocation = Field(default_factory=ArtifactLocation)


class Run(_Bag):
    """One run of one tool. Without `results` the tool has not looked."""

    MEANS_NOTHING: ClassVar = frozenset(
        "properties language versionControlProvenance logicalLocations graphs automationDetails runAggregates "
        "baselineGuid redactionTokens defaultEncoding defaultSourceLanguage newlineSequences columnKind "
        "threadFlowLocations taxonomies addresses translations webRequests webResponses specialLocations".split()
    )
    results: list[Result]
    tool: Tool = Field(default_factory=Tool)
    invocations: list[Invocation] = Field(default_factory=list)
    conversion: _Conversion | None = None
    artifacts: list[_Artifact] | None = None
    bases: dict[str, ArtifactLocation] = Field(default_factory=dict, alias="originalUriBaseIds")
    elsewhere: object = Field(None, alias="externalPropertyFileReferences")
    policies: list[object] = Field(default_factory=list)


class Log(_Bag):
    """A whole report."""

    MEANS_NOTHING: ClassVar = frozenset({"properties", "$schema"})
    version: Literal["2.1.0"]
    runs: list[Run] = Field(min_length=1)
    elsewhere: list[object] = Field(default_factory=list, alias="inlineExternalProperties")


LOG = TypeAdapter(Log)
