"""Pure: windows, evolution, the gate, the verdict. Arrays and frozen values in, the same out."""
