"""The doors: the WebSocket, the pages, the HTTP API, the command line and the browser client."""
