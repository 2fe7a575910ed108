"""The control plane: what administrators see and change while the gateway runs, over HTTP."""
