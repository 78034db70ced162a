"""`make windows-check`: the product on Windows' own Python under Wine, and every DLL that its Windows wheels want."""
