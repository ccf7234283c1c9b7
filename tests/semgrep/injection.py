import ast
import asyncio
import os
import subprocess

import sqlalchemy
from psycopg import sql
from sqlalchemy import text


def sql_statements(session, cursor, name, number) -> None:
    # ruleid: sql-from-strings
    session.execute(text(f"SELECT * FROM users WHERE name = '{name}'"))
    # ruleid: sql-from-strings
    cursor.execute("SELECT * FROM users WHERE name = '%s'" % name)
    # ruleid: sql-from-strings
    cursor.execute("SELECT * FROM users WHERE name = '" + name + "'")
    # ruleid: sql-from-strings
    cursor.executemany("DELETE FROM users WHERE name = '{}'".format(name), [])
    statement = f"DELETE FROM users WHERE id = {number}"
    # ruleid: sql-from-strings
    session.exec_driver_sql(statement)
    # ok: sql-from-strings
    session.execute(text("SELECT * FROM users WHERE name = :name"), {"name": name})
    # ok: sql-from-strings
    cursor.execute("SELECT * FROM users WHERE name = %s", (name,))
    # ok: sql-from-strings
    cursor.execute("SELECT * FROM users " "WHERE name = %s", (name,))
    # ok: sql-from-strings
    cursor.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(name)))
    # ok: sql-from-strings
    session.execute(sqlalchemy.select(sqlalchemy.column("name")))
    # ok: sql-from-strings
    session.execute(sqlalchemy.select(users).where(users.c.name == f"user:{name}"))
    # ok: sql-from-strings
    session.execute(sqlalchemy.select(users).where(users.c.name != "user:%s" % name))
    # ok: sql-from-strings
    session.execute(sqlalchemy.select(users).where(users.c.name.like(f"%{name}%")))
    # ok: sql-from-strings
    session.execute(sqlalchemy.update(users).values(name=f"user:{name}"))
    # ruleid: sql-from-strings
    session.execute(sqlalchemy.select(users).where(text(f"name = '{name}'")))
    # ok: sql-from-strings
    print(f"hello {name}")


async def commands(name) -> None:
    # ruleid: shell-command
    os.system("rm -rf " + name)
    # ruleid: shell-command
    os.popen(f"ls {name}")
    # ruleid: shell-command
    subprocess.run(f"ls {name}", shell=True, timeout=5)
    # ruleid: shell-command
    subprocess.check_output(name, shell=True)
    # ruleid: shell-command
    subprocess.Popen(args=name, shell=True)
    # ruleid: shell-command
    await asyncio.create_subprocess_shell(name)
    # ok: shell-command
    subprocess.run(["ls", name], timeout=5)
    # ok: shell-command
    subprocess.run("ls | wc -l", shell=True, timeout=5)
    # ok: shell-command
    await asyncio.create_subprocess_exec("ls", name)


def evaluations(expression) -> None:
    # ruleid: code-evaluation
    eval(expression)
    # ruleid: code-evaluation
    exec(expression, {})
    # ok: code-evaluation
    ast.literal_eval(expression)
    # ok: code-evaluation
    eval("1 + 1")
    # ok: code-evaluation
    re_compiled.exec(expression)
