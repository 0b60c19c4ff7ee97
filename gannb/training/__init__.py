"""The loop: players take turns while numbers move; exact to resume, to replay and to steer."""
