"""What is known of a commit and its artifact: statements, signatures, the store. No Prefect in here."""
