"""What a bad day at the venue looks like: a catalogue of faults, and what each makes of a request, an answer or the exchange."""
