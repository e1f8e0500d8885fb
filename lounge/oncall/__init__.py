"""On call: roles and rotas, pages and who answers them, asking whoever is free, reaching each."""
