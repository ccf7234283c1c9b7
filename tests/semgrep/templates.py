import html

from fastapi.responses import HTMLResponse
from jinja2 import Environment, select_autoescape
from markupsafe import Markup


def marked(name):
    # ruleid: markup-from-data
    Markup(f"<b>{name}</b>")
    # ruleid: markup-from-data
    Markup(name)
    # ok: markup-from-data
    Markup("<b>{}</b>").format(name)
    # ok: markup-from-data
    Markup("<hr>")


def environments(loader):
    # ruleid: autoescape-off
    Environment(loader=loader)
    # ruleid: autoescape-off
    Environment(loader=loader, autoescape=False)
    # ok: autoescape-off
    Environment(loader=loader, autoescape=True)
    # ok: autoescape-off
    Environment(loader=loader, autoescape=select_autoescape())


def pages(name, template):
    # ruleid: html-from-strings
    HTMLResponse(f"<h1>{name}</h1>")
    # ruleid: html-from-strings
    HTMLResponse(content="<h1>" + name + "</h1>")
    body = "<h1>{}</h1>".format(name)
    # ruleid: html-from-strings
    HTMLResponse(body, status_code=200)
    # ok: html-from-strings
    HTMLResponse(f"<h1>{html.escape(name)}</h1>")
    # ok: html-from-strings
    HTMLResponse("<h1>fixed</h1>")
    # ok: html-from-strings
    HTMLResponse(template.render(name=name))
