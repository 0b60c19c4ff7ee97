"""The files of a run: its folder, history, log of interventions, and ledger of claims."""
