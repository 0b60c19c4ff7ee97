"""Speech-driven gesture: what motion_balance and motion_wgan_gp share."""
