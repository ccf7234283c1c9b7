"""A personal assistant for people with ADHD: one list, one next step, few words."""
