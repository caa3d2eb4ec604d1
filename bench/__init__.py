"""The gateway's own code and emulated parts IN, figures that a person can check OUT; `pole bench` runs them."""
