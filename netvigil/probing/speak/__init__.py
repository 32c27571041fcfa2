"""Speaking: one small module per protocol, each with the short, harmless request that a well-behaved client sends."""
