"""The world: ssh, processes, files, http, the clock. All else is thought."""
