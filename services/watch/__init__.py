"""What looks after environments and questions while nobody does."""
