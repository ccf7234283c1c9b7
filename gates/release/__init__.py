"""Whether a version may go out, whether it may stay, and how to go back."""
