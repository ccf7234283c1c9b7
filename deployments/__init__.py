"""The places a release can go: settings, router, slots, runtimes, journal, lease. No Prefect in here."""
