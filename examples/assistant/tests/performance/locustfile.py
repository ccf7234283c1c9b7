"""People at work with their lists: they log in now and then, look, add and complete tasks.

A monitor asks for health. Run by Slipway, or by hand:
locust -f tests/performance/locustfile.py --host http://127.0.0.1:8000
"""

import random
import uuid

from locust import HttpUser, between, task


class Person(HttpUser):
    weight = 9
    wait_time = between(0.1, 0.4)

    def on_start(self) -> None:
        self.credentials = {
            "email": f"load-{uuid.uuid4().hex}@example.invalid",
            "password": uuid.uuid4().hex,
        }
        self.open_tasks: list[int] = []
        answer = self.client.post("/api/register", json=self.credentials)
        self.use_token(answer.json()["token"])
        # Nobody here is new: everybody has finished something before.
        first = self.client.post("/api/tasks", json={"title": "Sign up"})
        number = first.json()["id"]
        self.client.post(f"/api/tasks/{number}/complete", name="/api/tasks/{id}/complete")

    def use_token(self, token: str) -> None:
        self.client.headers["Authorization"] = f"Bearer {token}"

    @task(1)
    def log_in(self) -> None:
        answer = self.client.post("/api/login", json=self.credentials)
        if answer.ok:
            self.use_token(answer.json()["token"])

    @task(20)
    def list_tasks(self) -> None:
        self.client.get("/api/tasks", params={"status": "open"}, name="/api/tasks")

    @task(10)
    def create(self) -> None:
        answer = self.client.post("/api/tasks", json={"title": f"Breathe {random.random():.6f}"})
        if answer.ok:
            self.open_tasks.append(answer.json()["id"])

    @task(8)
    def complete(self) -> None:
        if self.open_tasks:
            number = self.open_tasks.pop(random.randrange(len(self.open_tasks)))
            self.client.post(f"/api/tasks/{number}/complete", name="/api/tasks/{id}/complete")

    @task(8)
    def summarize(self) -> None:
        self.client.get("/api/tasks/summary")

    def on_stop(self) -> None:
        self.client.delete("/api/account")


class Monitor(HttpUser):
    weight = 1
    wait_time = between(0.5, 1)

    @task
    def health(self) -> None:
        self.client.get("/health/overall")
