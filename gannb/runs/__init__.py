"""What a run leaves behind: its folder, history, log of interventions, and ledger of claims."""
