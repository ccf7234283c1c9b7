import { cleanup, configure, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { App } from "./App";
import { dueText, pick, Today } from "./Today";
import type { Task } from "./api";

const task = (id: number, title: string, due_on: string | null = null): Task => ({
  id,
  title,
  due_on,
});

/** A small server: enough of the interface for the page, state included. */
function serve(open: Task[], refuse: Record<string, [number, object]> = {}) {
  let done = 0;
  const calls: string[] = [];
  vi.stubGlobal("fetch", async (path: string, init: RequestInit = {}) => {
    const call = `${init.method ?? "GET"} ${path}`;
    calls.push(call);
    if (path === "/api/events") return new Promise(() => undefined);
    const refused = refuse[call];
    if (refused) return Response.json(refused[1], { status: refused[0] });
    if (path === "/api/login" || path === "/api/register") return Response.json({ token: "t" });
    if (path === "/api/tasks/summary")
      return Response.json({ open: open.length, completed_this_week: done, overdue: 0 });
    if (call === "GET /api/tasks") return Response.json(open);
    if (call === "POST /api/tasks") {
      open = [...open, task(99, JSON.parse(String(init.body)).title)];
      return Response.json(open.at(-1), { status: 201 });
    }
    const id = Number(/tasks\/(\d+)\/complete/.exec(path)?.[1]);
    open = open.filter((each) => each.id !== id);
    done += 1;
    return Response.json({});
  });
  return calls;
}

// Milliseconds: the page is waited for, however busy the machine is.
configure({ asyncUtilTimeout: 30_000 });

beforeEach(() => sessionStorage.clear());
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

function logIn() {
  fireEvent.change(screen.getByLabelText("Email"), { target: { value: "a@example.org" } });
  fireEvent.change(screen.getByLabelText("Password"), { target: { value: "long enough" } });
  fireEvent.submit(screen.getByLabelText("Email").closest("form") as HTMLFormElement);
}

test("logs in, and shows one task large and the others as later", async () => {
  serve([task(1, "Call the dentist"), task(2, "Buy milk")]);
  render(<App />);
  logIn();
  expect(await screen.findByRole("heading", { name: "Call the dentist" })).toBeTruthy();
  expect(screen.getByText("1 for later")).toBeTruthy();
  expect(sessionStorage.getItem("assistant-token")).toBe("t");
});

test("says why it could not log in", async () => {
  serve([], { "POST /api/login": [401, { detail: "wrong address or password" }] });
  render(<App />);
  logIn();
  expect((await screen.findByRole("alert")).textContent).toBe("wrong address or password");
});

test("registers someone new", async () => {
  const calls = serve([]);
  render(<App />);
  fireEvent.click(screen.getByText("I am new here"));
  logIn();
  expect(await screen.findByText("Nothing to do. Breathe.")).toBeTruthy();
  expect(calls).toContain("POST /api/register");
});

test("completes the task and counts it", async () => {
  serve([task(1, "Call the dentist"), task(2, "Buy milk")]);
  render(<Today token="t" onLeave={() => undefined} />);
  fireEvent.click(await screen.findByText("Done"));
  expect(await screen.findByRole("heading", { name: "Buy milk" })).toBeTruthy();
  expect(screen.getByText("1 done this week")).toBeTruthy();
});

test("puts a task off, and comes back to it", async () => {
  serve([task(1, "Call the dentist"), task(2, "Buy milk")]);
  render(<Today token="t" onLeave={() => undefined} />);
  fireEvent.click(await screen.findByText("Not now"));
  expect(screen.getByRole("heading", { name: "Buy milk" })).toBeTruthy();
  fireEvent.click(screen.getByText("Not now"));
  expect(screen.getByRole("heading", { name: "Call the dentist" })).toBeTruthy();
});

test("adds a task", async () => {
  serve([]);
  render(<Today token="t" onLeave={() => undefined} />);
  fireEvent.change(screen.getByLabelText("New task"), { target: { value: "  Water plants " } });
  fireEvent.click(screen.getByText("Add"));
  expect(await screen.findByRole("heading", { name: "Water plants" })).toBeTruthy();
});

test("leaves when the session is over", async () => {
  serve([], { "GET /api/tasks": [401, { detail: "log in first" }] });
  const leave = vi.fn();
  render(<Today token="old" onLeave={leave} />);
  await waitFor(() => expect(leave).toHaveBeenCalled());
});

test("words for due dates are kind", () => {
  expect(dueText(null, "2026-03-02")).toBe("");
  expect(dueText("2026-03-02", "2026-03-02")).toBe("Due today");
  expect(dueText("2026-03-01", "2026-03-02")).toBe("Was due 2026-03-01. Still counts.");
  expect(dueText("2026-03-09", "2026-03-02")).toBe("Due 2026-03-09");
});

test("picks nothing from nothing", () => {
  expect(pick([], 3)).toBeUndefined();
});
