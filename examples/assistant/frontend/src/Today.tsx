import { useCallback, useEffect, useState, type FormEvent } from "react";
import * as api from "./api";

/** The task to show: the one after those that were put off, and around again. */
export function pick(tasks: api.Task[], skipped: number): api.Task | undefined {
  return tasks[skipped % Math.max(tasks.length, 1)];
}

export function dueText(due: string | null, today: string): string {
  if (!due) return "";
  if (due === today) return "Due today";
  return due < today ? `Was due ${due}. Still counts.` : `Due ${due}`;
}

export function Today({ token, onLeave }: { token: string; onLeave: () => void }) {
  const [tasks, setTasks] = useState<api.Task[]>();
  const [summary, setSummary] = useState<api.Summary>();
  const [skipped, setSkipped] = useState(0);
  const [problem, setProblem] = useState("");

  const attempt = useCallback(
    async (work: () => Promise<unknown>) => {
      try {
        await work();
        const [list, counts] = await Promise.all([api.listTasks(token), api.getSummary(token)]);
        setTasks(list);
        setSummary(counts);
        setProblem("");
      } catch (error) {
        if (error instanceof api.ApiError && error.status === 401) onLeave();
        setProblem((error as Error).message);
      }
    },
    [token, onLeave],
  );

  useEffect(() => {
    const reload = () => void attempt(async () => undefined);
    const stop = new AbortController();
    reload();
    void api.watchTasks(token, reload, stop.signal);
    return () => stop.abort();
  }, [token, attempt]);

  function add(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = event.currentTarget;
    const title = String(new FormData(form).get("title")).trim();
    if (title) void attempt(() => api.addTask(token, title)).then(() => form.reset());
  }

  const now = pick(tasks ?? [], skipped);
  const later = (tasks ?? []).filter((task) => task !== now);
  return (
    <main className="card">
      <header>
        <span>{summary && `${summary.completed_this_week} done this week`}</span>
        <button className="quiet" onClick={onLeave}>
          Log out
        </button>
      </header>
      {problem && <p role="alert">{problem}</p>}
      {now && (
        <section className="now">
          <h1>{now.title}</h1>
          <p>{dueText(now.due_on, new Date().toISOString().slice(0, 10))}</p>
          <button
            className="primary"
            onClick={() => void attempt(() => api.completeTask(token, now.id))}
          >
            Done
          </button>
          {later.length > 0 && (
            <button className="quiet" onClick={() => setSkipped(skipped + 1)}>
              Not now
            </button>
          )}
        </section>
      )}
      {tasks?.length === 0 && <h1 className="now">Nothing to do. Breathe.</h1>}
      <form className="add" onSubmit={add}>
        <input name="title" aria-label="New task" placeholder="What is on your mind?" />
        <button>Add</button>
      </form>
      {later.length > 0 && (
        <details>
          <summary>{later.length} for later</summary>
          <ul>
            {later.map((task) => (
              <li key={task.id}>{task.title}</li>
            ))}
          </ul>
        </details>
      )}
    </main>
  );
}
