from tests.tasks.small_app import app, app_environment, home, shared_home  # noqa: F401
