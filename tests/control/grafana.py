"""A dashboard as Grafana documents it ("Dashboard JSON model", schemaVersion 39), as far as ours use it.

Grafana's image cannot be had everywhere; this refuses a key that it does not know, a panel without a query, and a query
without a data source.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Uid = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,40}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Source(_Part):
    type: Literal["prometheus", "loki", "grafana"]
    uid: str


class Grid(_Part):
    h: int = Field(ge=1, le=30)
    w: int = Field(ge=1, le=24)
    x: int = Field(ge=0, le=23)
    y: int = Field(ge=0)

    @model_validator(mode="after")
    def _fits(self) -> "Grid":
        if self.x + self.w > 24:
            raise ValueError("a panel ends beyond the 24 columns")
        return self


class Query(_Part):
    refId: Annotated[str, Field(pattern="^[A-Z]$")]
    datasource: Source
    expr: Annotated[str, Field(min_length=1)]
    legendFormat: str = ""
    instant: bool
    range: bool
    format: Literal["table", "time_series"] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "Query":
        if self.instant == self.range:
            raise ValueError("a query is either instant or a range")
        return self


class FieldConfig(_Part):
    defaults: dict[str, Any]
    overrides: list[Any]


class Panel(_Part):
    id: int = Field(ge=1)
    type: Literal["timeseries", "stat", "bargauge", "table", "logs", "row"]
    title: Annotated[str, Field(min_length=1)]
    description: str = ""
    datasource: Source | None = None
    gridPos: Grid
    fieldConfig: FieldConfig | None = None
    options: dict[str, Any] | None = None
    targets: list[Query] = []
    transformations: list[dict[str, Any]] = []
    collapsed: bool | None = None
    panels: list[Any] | None = None

    @model_validator(mode="after")
    def _shows_something(self) -> "Panel":
        if (self.type == "row") == bool(self.targets):
            raise ValueError("a row has no queries, every other panel has")
        if any(target.datasource != self.datasource for target in self.targets):
            raise ValueError("a query asks another source than its panel")
        return self


class Annotation(_Part):
    name: str
    datasource: Source
    enable: bool
    hide: bool
    iconColor: str
    expr: str = ""
    step: str = ""
    titleFormat: str = ""
    textFormat: str = ""
    tagKeys: str = ""
    useValueForTime: Literal["on", ""] = ""
    builtIn: int = 0
    type: str = ""


class Annotations(_Part):
    list: list[Annotation]


class Variable(_Part):
    name: str
    type: Literal["query"]
    label: str
    datasource: Source
    query: dict[str, str]
    definition: str
    refresh: Literal[1, 2]
    sort: int
    multi: bool
    includeAll: bool
    hide: int
    current: dict[str, Any]


class Templating(_Part):
    list: list[Variable]


class Dashboard(_Part):
    uid: Uid
    title: str
    description: str
    tags: list[str]
    schemaVersion: int = Field(ge=36, le=41)
    version: int
    editable: bool
    graphTooltip: Literal[0, 1, 2]
    timezone: str
    refresh: str
    time: dict[Literal["from", "to"], str]
    annotations: Annotations
    templating: Templating
    links: list[dict[str, Any]]
    panels: list[Panel]

    @model_validator(mode="after")
    def _no_two(self) -> "Dashboard":
        ids = [panel.id for panel in self.panels]
        if len(ids) != len(set(ids)):
            raise ValueError("two panels have the same id")
        return self

    def queries(self, source: str) -> list[tuple[str, str]]:
        """Return (panel, expression) of every query to a source, and those of the annotations and variables."""
        found = [
            (panel.title, query.expr)
            for panel in self.panels
            for query in panel.targets
            if query.datasource.type == source
        ]
        found += [(one.name, one.expr) for one in self.annotations.list if one.datasource.type == source]
        return found
