import { useState } from "react";
import { Entrance } from "./Entrance";
import { Today } from "./Today";

const KEY = "assistant-token";

export function App() {
  const [token, setToken] = useState(() => sessionStorage.getItem(KEY) ?? "");

  function remember(next: string) {
    sessionStorage.setItem(KEY, next);
    setToken(next);
  }

  if (!token) return <Entrance onEnter={remember} />;
  return <Today token={token} onLeave={() => remember("")} />;
}
