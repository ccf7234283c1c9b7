"""What packages a commit installs, and what is known of them."""
