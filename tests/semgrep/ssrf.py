import urllib.request

import aiohttp
import httpx
import redis
import requests
from aiohttp import ClientSession
from app import BASE, Cache, Item, Row, SessionDep, get_cache, get_client, get_fetcher, get_session
from fastapi import APIRouter, Depends, Request
from fastapi.testclient import TestClient
from httpx import AsyncClient
from sqlalchemy.orm import Session

router = APIRouter()
HOSTS = {"a": "https://a.example.com/"}


@router.get("/fetch")
def fetch(url: str):
    # ruleid: request-chooses-address
    return httpx.get(url, timeout=5).text


@router.get("/preview")
async def preview(request: Request):
    address = request.query_params["address"]
    async with httpx.AsyncClient() as client:
        # ruleid: request-chooses-address
        await client.get(address)
    # ruleid: request-chooses-address
    urllib.request.urlopen(address)


@router.get("/hook")
def hook(target: str, kind: str = "a"):
    # ruleid: request-chooses-address
    requests.post(f"https://{target}/hook", timeout=5)
    # ruleid: request-chooses-address
    requests.request("GET", "https://example.com" + target, timeout=5)
    # ok: request-chooses-address
    requests.post(f"https://hooks.example.com/{kind}", timeout=5)
    # ok: request-chooses-address
    requests.post("https://hooks.example.com/" + kind, timeout=5)
    # ok: request-chooses-address
    requests.get(HOSTS[kind], timeout=5)


@router.get("/number/{number}")
def number(number: int, fetcher=Depends(get_fetcher)):
    # ok: request-chooses-address
    return httpx.get(f"{BASE}/{number}")


@router.get("/row/{key}")
def row(key: str, session: Session = Depends(get_session)):
    # ok: request-chooses-address
    return session.get(Row, key)


def configured(url):
    # ok: request-chooses-address
    return httpx.get(url, timeout=5)


shared = httpx.AsyncClient(timeout=5)
session_of_requests = requests.Session()
test_client = TestClient(router)
store = redis.Redis()
KNOWN: dict[str, str] = {}


@router.get("/made")
async def made(url: str):
    # ruleid: request-chooses-address
    await shared.get(url)
    # ruleid: request-chooses-address
    session_of_requests.post(url, json={})
    # ruleid: request-chooses-address
    await httpx.AsyncClient().get(url)
    # ruleid: request-chooses-address
    requests.Session().get(url)
    # ruleid: request-chooses-address
    httpx.Client(timeout=5).post(url=url)
    async with aiohttp.ClientSession() as session:
        # ruleid: request-chooses-address
        async with session.get(url) as answer:
            return await answer.text()


@router.get("/imported")
async def imported(url: str):
    async with ClientSession() as session:
        # ruleid: request-chooses-address
        await session.post(url)
    session = AsyncClient()
    # ruleid: request-chooses-address
    await session.request("GET", url)


@router.get("/given")
async def given(
    url: str, fetcher: httpx.AsyncClient = Depends(get_client), session: ClientSession = Depends(get_client)
):
    # ruleid: request-chooses-address
    await fetcher.get(url)
    # ruleid: request-chooses-address
    await session.get(url)


@router.get("/named")
async def named(request: Request, url: str, http=Depends(get_client)):
    # ruleid: request-chooses-address
    await http.get(url)
    # ruleid: request-chooses-address
    await request.app.state.http_client.get(url)


class Hooks:
    def __init__(self):
        self.session = httpx.AsyncClient()

    @router.get("/hooks")
    async def call(self, request: Request):
        address = request.query_params["address"]
        # ruleid: request-chooses-address
        await self.session.post(address)


@router.get("/items/{key}")
def remove(key: str, item: Item, session: SessionDep):
    # ok: request-chooses-address
    session.delete(item)
    # ok: request-chooses-address
    session.get(Item, key)
    # ok: request-chooses-address
    session.delete(session.get(Item, key))


@router.get("/rows/{key}")
async def remove_row(key: str, item: Item, session: Session = Depends(get_session), db: Session = Depends(get_session)):
    # ok: request-chooses-address
    await session.delete(item)
    # ok: request-chooses-address
    db.delete(item)
    with Session() as session:
        # ok: request-chooses-address
        session.delete(item)


@router.get("/cached")
def cached(key: str, url: str, request: Request, cache: Cache = Depends(get_cache), client=Depends(get_cache)):
    # ok: request-chooses-address
    cache.get(url)
    # ok: request-chooses-address
    store.get(key)
    # ok: request-chooses-address
    store.delete(url)
    # ok: request-chooses-address
    client.get(key)
    # ok: request-chooses-address
    KNOWN.get(url)
    # ok: request-chooses-address
    request.session.get(key)
    # ok: request-chooses-address
    request.headers.get(key)
    # ok: request-chooses-address
    request.app.state.queue.put(item=url)
    # ok: request-chooses-address
    test_client.get(url)


@router.get("/queue")
def enqueue(url: str, queue=Depends(get_cache), options: dict = Depends(get_cache)):
    # ok: request-chooses-address
    queue.put(url)
    # ok: request-chooses-address
    options.get(url)
    # ok: request-chooses-address
    httpx.get("https://example.com/", params={"url": url})
    # ok: request-chooses-address
    requests.post("https://example.com/", json={"url": url})


@router.get("/unknown")
async def unknown(url: str, key: str, client=Depends(get_client), api_client=Depends(get_client)):
    # ruleid: request-may-choose-address
    await client.get(url)
    # ruleid: request-may-choose-address
    await api_client.post(url=url)
    # ok: request-may-choose-address
    await client.get(key)


@router.get("/known")
async def known(url: str, client: Cache = Depends(get_cache), redis_client=Depends(get_cache)):
    # ok: request-may-choose-address
    await client.get(url)
    # ok: request-may-choose-address
    await redis_client.delete(url)
