"""The journal as the engine uses it: the plan as text, a core driven by a recorded run, an event explained."""
