import { useState, type FormEvent } from "react";
import { enter } from "./api";

export function Entrance({ onEnter }: { onEnter: (token: string) => void }) {
  const [problem, setProblem] = useState("");
  const [isNew, setIsNew] = useState(false);

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const [email, password] = [String(form.get("email")), String(form.get("password"))];
    try {
      onEnter((await enter(isNew ? "register" : "login", email, password)).token);
    } catch (error) {
      setProblem((error as Error).message);
    }
  }

  return (
    <main className="card">
      <h1>One thing at a time</h1>
      <form onSubmit={submit}>
        <label>
          Email
          <input name="email" type="email" autoComplete="username" required />
        </label>
        <label>
          Password
          <input name="password" type="password" minLength={10} required />
        </label>
        {problem && <p role="alert">{problem}</p>}
        <button className="primary">{isNew ? "Start" : "Log in"}</button>
      </form>
      <button className="quiet" onClick={() => setIsNew(!isNew)}>
        {isNew ? "I have an account" : "I am new here"}
      </button>
    </main>
  );
}
