#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Renders templates.jsonl (one {"template", "context"} a line, ours) with Jinja2 3.1.6 in the environment of chat templates
# and writes expected.jsonl: {"template", "context", "rendered"} or {..., "error_kind"}.
import datetime, json, pathlib, sys
import jinja2
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.sandbox import ImmutableSandboxedEnvironment


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller):
        return caller()


class Raised(jinja2.exceptions.TemplateError):
    pass


def raise_exception(message):
    raise Raised(message)


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", Generation])
    env.filters["tojson"] = lambda x, ensure_ascii=False, indent=None, separators=None, sort_keys=False: json.dumps(
        x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda f: datetime.datetime(2026, 1, 2, 3, 4, 5).strftime(f)
    return env


def render(env, template, context):
    try:
        return {"rendered": env.from_string(template).render(**context)}
    except jinja2.TemplateSyntaxError as e:
        return {"error_kind": "syntax", "line": e.lineno}
    except Raised as e:
        return {"error_kind": "raise_exception", "error": e.message}
    except jinja2.UndefinedError:
        return {"error_kind": "undefined"}
    except jinja2.exceptions.SecurityError:
        return {"error_kind": "security"}
    except jinja2.TemplateRuntimeError as e:
        return {"error_kind": "unknown_filter" if str(e).startswith("No ") else "type"}
    except Exception:
        return {"error_kind": "type"}


if __name__ == "__main__":
    here = pathlib.Path(__file__).parent
    env = environment()
    with open(here / "expected.jsonl", "w") as out:
        for line in open(here / "templates.jsonl"):
            case = json.loads(line)
            out.write(json.dumps({**case, **render(env, case["template"], case["context"])}, ensure_ascii=False) + "\n")
