// Package ws connects transport/retryws to two websocket libraries: coder/websocket and gorilla/websocket.
//
//	s := retryws.New(retryws.Config{Protocol: venue, Dialer: &ws.Coder{}})
//
// [Coder] is the one to take; [Gorilla] is for programs that use that library already. Both
// turn refused handshakes into [retryws.HandshakeError], with what Retry-After and its like ask for, and close
// frames into [retryws.CloseError]; answer the server's pings and report them; refuse messages
// above ReadLimit with close code 1009; and never wait for a peer that is gone.
package ws
