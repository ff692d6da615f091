package gateway

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// newCertificate puts a new certificate for 127.0.0.1 into two files, and returns it.
func newCertificate(t *testing.T, cert, key string, number int64) *x509.Certificate {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(number), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &secret.PublicKey, secret)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	hidden, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(
		os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: hidden}), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	return made
}

func trusting(c *x509.Certificate) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(c)
	return &tls.Config{RootCAs: pool}
}

// Clients that speak TLS get what the others get: forwarding, web sockets, and a look at the framing.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "crt"), filepath.Join(dir, "key")
	made := newCertificate(t, cert, key, 1)
	up, seen := echo(t)
	p := start(t, fast+section(up, ", policy: api.call")+fmt.Sprintf("  cert_file: %q\n  key_file: %q\n", cert, key), Options{})
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: trusting(made), ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	for range 2 {
		resp, err := client.Post("https://"+p.addr+"/x", "text/plain", strings.NewReader("order"))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.Proto != "HTTP/1.1" || !strings.Contains(string(text), `/x "order"`) {
			t.Errorf("%s %q, %v", resp.Proto, text, err)
		}
	}
	if got := seen()[1].Header.Get("X-Forwarded-Proto"); got != "https" {
		t.Errorf("X-Forwarded-Proto is %q", got)
	}

	c, err := tls.Dial("tcp", p.addr, trusting(made))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	io.WriteString(c, lines("POST / HTTP/1.1", "Host: a", "Content-Length: 5", "Transfer-Encoding: chunked")+"0\r\n\r\n")
	if text, _ := io.ReadAll(c); !strings.HasPrefix(string(text), "HTTP/1.1 400 ") || !strings.Contains(string(text), string(malformed)) {
		t.Errorf("%q; want two lengths refused below TLS, too", text)
	}
	if got := raw(t, p.addr, lines("GET / HTTP/1.1", "Host: a")); strings.Contains(got, "200") {
		t.Errorf("%q: answered in the clear", got)
	}
	if n := len(seen()); n != 2 {
		t.Errorf("%d requests reached the upstream; want 2", n)
	}

	p = start(t, fast+section(repeater(t), ", policy: api.call")+fmt.Sprintf("  cert_file: %q\n  key_file: %q\n", cert, key), Options{})
	ws, _, err := websocket.Dial(t.Context(), "wss://"+p.addr, &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	if err := ws.Write(t.Context(), websocket.MessageText, []byte("it")); err != nil {
		t.Fatal(err)
	}
	if _, got, err := ws.Read(t.Context()); err != nil || string(got) != "heard it" {
		t.Errorf("%q, %v", got, err)
	}
}

// A certificate that was exchanged is shown to whoever connects next; one that is broken is not.
func TestCertificateChanges(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "crt"), filepath.Join(dir, "key")
	newCertificate(t, cert, key, 1)
	log := &logged{}
	c := &certificate{cert: cert, key: key, log: newLog(log)}
	if _, err := c.config(); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	number := func(at time.Time) int64 { return c.get(at).Leaf.SerialNumber.Int64() }
	newCertificate(t, cert, key, 2)
	later := now.Add(time.Hour)
	if err := errors.Join(os.Chtimes(cert, later, later), os.Chtimes(key, later, later)); err != nil {
		t.Fatal(err)
	}
	if n := number(now); n != 1 {
		t.Errorf("certificate %d within a second; want the first", n)
	}
	if n := number(now.Add(2 * often)); n != 2 {
		t.Errorf("certificate %d; want the second", n)
	}
	if err := os.WriteFile(key, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n := number(now.Add(4 * often)); n != 2 || !strings.Contains(log.String(), "the one before stays") || strings.Contains(log.String(), "hunter2") {
		t.Errorf("certificate %d, %s; want the second, and a word about it", n, log)
	}
	os.Remove(key)
	if n := number(now.Add(6 * often)); n != 2 {
		t.Errorf("certificate %d; want the second", n)
	}
	if _, err := (&certificate{cert: cert, key: key}).config(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v; want that there is no key", err)
	}
}
