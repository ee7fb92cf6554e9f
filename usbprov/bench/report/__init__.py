"""The report of a shift: from the ledger alone, as HTML, CSV, JSON or a workbook."""
