"""What a video gateway is: plain data and rules, no I/O."""
