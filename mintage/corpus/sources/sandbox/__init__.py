"""The sandbox: a small simulated economy whose truth is known, and the documents it writes."""
