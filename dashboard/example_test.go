package dashboard_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/dashboard"
)

// The registry of a program is what the dashboard shows, and what carries its commands out.
func ExampleNew() {
	reg := &control.Registry{Instance: "tokyo-1"}
	h, err := dashboard.New(dashboard.Config{Source: reg, Commander: reg})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer h.Close()
	server := httptest.NewServer(h) // a program has dashboard.Server("127.0.0.1:8484", h).ListenAndServe()
	defer server.Close()

	res, err := http.Get(server.URL + "/api/v1/me")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	fmt.Print(string(body))
	// Output:
	// {"audit":false,"auth":false,"commander":true,"events":true,"name":"local","read_only":false,"role":"admin"}
}

// Tokens are made once, shown to their holder, and kept as hashes.
func ExampleTokens() {
	secret, token := dashboard.NewToken("mara", dashboard.Operator)
	auth := dashboard.Tokens(dashboard.TokenList{token})
	fmt.Println(auth.Authenticate(dashboard.HashToken(secret)))
	fmt.Println(auth.Authenticate(dashboard.HashToken("a guess")))
	// Output:
	// {mara operator} true
	// { anyone} false
}
