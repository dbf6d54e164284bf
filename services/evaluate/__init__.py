"""What ``linnet eval`` measures, and on what: held-out speech, or recordings of people."""
