"""What runs all the time, under the supervisor."""
