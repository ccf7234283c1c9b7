export interface Task {
  id: number;
  title: string;
  due_on: string | null;
}

export interface Summary {
  open: number;
  completed_this_week: number;
  overdue: number;
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

async function call<T>(path: string, token = "", method = "GET", body?: object): Promise<T> {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    const known = typeof answer.detail === "string";
    throw new ApiError(response.status, known ? answer.detail : "That did not work. Try again.");
  }
  return answer as T;
}

export const enter = (way: "login" | "register", email: string, password: string) =>
  call<{ token: string }>(`/api/${way}`, "", "POST", { email, password });
export const listTasks = (token: string) => call<Task[]>("/api/tasks", token);
export const getSummary = (token: string) => call<Summary>("/api/tasks/summary", token);
export const addTask = (token: string, title: string) =>
  call<Task>("/api/tasks", token, "POST", { title });
export const completeTask = (token: string, id: number) =>
  call<Task>(`/api/tasks/${id}/complete`, token, "POST");

/** Calls `changed` when a task changed elsewhere, until `signal` aborts; reconnects by itself. */
export async function watchTasks(token: string, changed: () => void, signal: AbortSignal) {
  while (!signal.aborted) {
    try {
      const headers = { authorization: `Bearer ${token}` };
      const response = await fetch("/api/events", { headers, signal });
      const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
      for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
        if (part.value.includes("event: task")) changed();
      }
    } catch {
      // The server went away; the next round finds it again.
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}
