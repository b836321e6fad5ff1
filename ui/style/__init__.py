"""How the panel looks: colours of both themes, fonts, and icons."""
