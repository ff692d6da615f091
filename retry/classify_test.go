package retry_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/relent-go/relent/retry"
)

func op(name string, err error) error {
	return &net.OpError{Op: name, Net: "tcp", Err: err}
}

func TestDefaultClassify(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want retry.Class
	}{
		{"nil", nil, retry.Permanent},
		{"unknown", errors.New("what"), retry.Ambiguous},
		{"wrapped unknown", fmt.Errorf("a: %w", errors.New("what")), retry.Ambiguous},

		{"mark", retry.Mark(io.EOF, retry.Transient), retry.Transient},
		{"outermost mark wins", retry.Mark(retry.Mark(io.EOF, retry.Transient), retry.Permanent), retry.Permanent},
		{"mark through url.Error", &url.Error{Op: "Get", URL: "/", Err: retry.Mark(io.EOF, retry.Transient)}, retry.Transient},
		{"mark beside a sentinel", fmt.Errorf("%w: %w", errPlain, transient), retry.Transient},
		{"R17 no retry beside a retry", errors.Join(transient, permanent), retry.Permanent},
		{"the more cautious of two", errors.Join(transient, retry.Mark(errPlain, retry.Ambiguous), retry.After(errPlain, 0)), retry.Ambiguous},
		{"throttled before transient", errors.Join(transient, retry.After(errPlain, 0)), retry.Throttled},
		{"joined unknowns", errors.Join(errPlain, io.ErrNoProgress), retry.Ambiguous},
		{"a list with nil in it", list{nil, transient}, retry.Transient},
		{"After", retry.After(errPlain, time.Second), retry.Throttled},

		{"context canceled", context.Canceled, retry.Permanent},
		{"context deadline", fmt.Errorf("get: %w", context.DeadlineExceeded), retry.Ambiguous},
		{"i/o timeout", op("read", os.ErrDeadlineExceeded), retry.Ambiguous},
		{"deadline of a file", os.ErrDeadlineExceeded, retry.Ambiguous},
		{"closed connection", net.ErrClosed, retry.Ambiguous},
		{"EOF", io.EOF, retry.Ambiguous},
		{"unexpected EOF", io.ErrUnexpectedEOF, retry.Ambiguous},

		{"dial refused", op("dial", os.NewSyscallError("connect", syscall.ECONNREFUSED)), retry.Transient},
		{"dial timeout", op("dial", os.ErrDeadlineExceeded), retry.Transient},
		{"dial without route", op("dial", os.NewSyscallError("connect", syscall.ENETUNREACH)), retry.Transient},
		{"dial not permitted", op("dial", os.NewSyscallError("connect", syscall.EACCES)), retry.Permanent},
		{"dial to no address", op("dial", &net.AddrError{Err: "missing port"}), retry.Permanent},
		{"dial of no network", op("dial", net.UnknownNetworkError("tcp9")), retry.Permanent},
		{"proxy connect failed", op("proxyconnect", errors.New("502")), retry.Transient},
		{"proxy with a bad certificate", op("proxyconnect", x509.UnknownAuthorityError{}), retry.Permanent},
		{"socks connect failed", op("socks connect", errors.New("no")), retry.Transient},
		{"read reset", op("read", os.NewSyscallError("read", syscall.ECONNRESET)), retry.Ambiguous},
		{"write broken pipe", op("write", os.NewSyscallError("write", syscall.EPIPE)), retry.Ambiguous},
		{"read: host unreachable", op("read", os.NewSyscallError("read", syscall.EHOSTUNREACH)), retry.Ambiguous},
		{"TLS alert of the other side", op("remote error", tls.AlertError(70)), retry.Permanent},
		{"TLS alert of ours", op("local error", errors.New("tls")), retry.Permanent},

		{"DNS: temporary", &net.DNSError{IsTemporary: true}, retry.Transient},
		{"DNS: timeout", op("dial", &net.DNSError{IsTimeout: true}), retry.Transient},
		{"DNS: no such host", op("dial", &net.DNSError{IsNotFound: true}), retry.Permanent},

		{"certificate of another host", x509.HostnameError{}, retry.Permanent},
		{"certificate of nobody", &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, retry.Permanent},
		{"expired certificate", x509.CertificateInvalidError{Reason: x509.Expired}, retry.Permanent},
		{"no TLS at all", tls.RecordHeaderError{}, retry.Permanent},

		{"no file", &fs.PathError{Op: "open", Err: syscall.ENOENT}, retry.Permanent},
		{"not exist", fs.ErrNotExist, retry.Permanent},
		{"permission", os.ErrPermission, retry.Permanent},
		{"process done", os.ErrProcessDone, retry.Permanent},
		{"too many files", &fs.PathError{Op: "open", Err: syscall.EMFILE}, retry.Transient},
		{"errno refused", syscall.ECONNREFUSED, retry.Transient},
		{"errno reset", syscall.ECONNRESET, retry.Ambiguous},
		{"errno no space", syscall.ENOSPC, retry.Permanent},
		{"errno of no class", syscall.Errno(0xfff), retry.Ambiguous},

		{"bad URL", &url.Error{Op: "parse", URL: ":", Err: errors.New("missing scheme")}, retry.Permanent},
		{"URL of a failed request", &url.Error{Op: "Get", URL: "/", Err: io.EOF}, retry.Ambiguous},

		{"nil OpError", (*net.OpError)(nil), retry.Ambiguous},
		{"nil url.Error", (*url.Error)(nil), retry.Ambiguous},
		{"nil DNSError", (*net.DNSError)(nil), retry.Transient},
		{"nil *Error", (*retry.Error)(nil), retry.Ambiguous},
		{"X34 nil pointer with an Unwrap method", (*pointed)(nil), retry.Ambiguous},
		{"an Unwrap that yields nil", &pointed{}, retry.Ambiguous},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := retry.DefaultClassify(test.err); got != test.want {
				t.Errorf("DefaultClassify(%v) = %v; want %v", test.name, got, test.want)
			}
		})
	}
}

type list []error

func (l list) Error() string   { return "list" }
func (l list) Unwrap() []error { return l }

// pointed has methods that a nil pointer cannot bear, and carries a hint.
type pointed struct {
	err  error
	hint time.Duration
}

func (p *pointed) Error() string             { return "pointed at " + p.hint.String() }
func (p *pointed) Unwrap() error             { return p.err }
func (p *pointed) RetryAfter() time.Duration { return p.hint }

// number is an error without a nil.
type number int

func (number) Error() string               { return "number" }
func (n number) RetryAfter() time.Duration { return time.Duration(n) }

func TestHint(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want time.Duration
	}{
		{"nil", nil, 0},
		{"none", errPlain, 0},
		{"After", fmt.Errorf("a: %w", retry.After(errPlain, time.Second)), time.Second},
		{"the longer of two", errors.Join(retry.After(errPlain, time.Second), nil, retry.After(errPlain, time.Minute)), time.Minute},
		{"an error's own method", &pointed{hint: time.Hour}, time.Hour},
		{"a value's own method", number(5), 5},
		{"X34 a nil pointer with the method", (*pointed)(nil), 0},
		{"X34 and inside another error", fmt.Errorf("a: %w", (*pointed)(nil)), 0},
		{"a nil list", list(nil), 0},
		{"a negative hint", number(-5), 0},
	} {
		if got := retry.Hint(test.err); got != test.want {
			t.Errorf("%s: Hint = %v; want %v", test.name, got, test.want)
		}
	}
	fn, calls := always((*pointed)(nil))
	if err := retry.Run(t.Context(), &retry.Policy{Idempotent: true, Backoff: immediate}, fn); *calls != 3 || err == nil {
		t.Errorf("X34: %d calls, %v; want the retries of an ordinary error", *calls, err)
	} else if text := err.Error(); !strings.HasSuffix(text, ": outcome unknown: <nil>") {
		t.Errorf("X34: text %q", text)
	}
}

func TestMarkOfNil(t *testing.T) {
	if retry.Mark(nil, retry.Permanent) != nil || retry.After(nil, 1) != nil || retry.MarkAfter(nil, retry.Permanent, 1) != nil {
		t.Error("a mark on nil is an error")
	}
	var hinted interface{ RetryAfter() time.Duration }
	if err := fmt.Errorf("a: %w", retry.After(errPlain, time.Second)); !errors.As(err, &hinted) || hinted.RetryAfter() != time.Second {
		t.Error("errors.As does not find the hint of a mark")
	}
	if err := retry.Mark(errPlain, retry.Transient); err.Error() != "plain" || !errors.Is(err, errPlain) {
		t.Errorf("a mark changes its error: %v", err)
	}
}

// What the standard library really returns, on real connections.
func TestDefaultClassifyOfRealErrors(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := closed.Addr().String()
	closed.Close()
	_, err = net.Dial("tcp", address)
	check(t, "dial of a closed port", err, retry.Transient)
	_, err = http.Get("http://" + address)
	check(t, "GET of a closed port", err, retry.Transient)
	_, err = net.Dial("tcp", "127.0.0.1")
	check(t, "dial without a port", err, retry.Permanent)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = (&net.Dialer{}).DialContext(ctx, "tcp", address)
	check(t, "cancelled dial", err, retry.Transient)

	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	server.Config.ErrorLog = quiet
	server.StartTLS()
	defer server.Close()
	_, err = http.Get(server.URL)
	check(t, "TLS server of an unknown authority", err, retry.Permanent)
	_, err = server.Client().Get(server.URL)
	check(t, "server that hangs up", err, retry.Ambiguous)
	_, err = http.Get("http" + server.URL[len("https"):])
	_ = err // a 400 in plain text: no error
	_, err = tls.Dial("tcp", server.Listener.Addr().String(), &tls.Config{MaxVersion: tls.VersionTLS10, MinVersion: tls.VersionTLS10, InsecureSkipVerify: true})
	check(t, "TLS version that the server refuses", err, retry.Permanent)
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	_, err = tls.Dial("tcp", plain.Listener.Addr().String(), nil)
	check(t, "TLS to a plain server", err, retry.Permanent)
	_, err = os.ReadFile("there is no such file")
	check(t, "missing file", err, retry.Permanent)
	_, err = http.Get("http://%zz")
	check(t, "bad URL", err, retry.Permanent)
}

func check(t *testing.T, what string, err error, want retry.Class) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
	} else if got := retry.DefaultClassify(err); got != want {
		t.Errorf("%s: %T %v is %v; want %v", what, err, err, got, want)
	}
}

// hintedList is an error of several, with a hint of its own.
type hintedList struct{ list }

func (*hintedList) RetryAfter() time.Duration { return time.Hour }

// The engine finds a hint in an error of any shape, and bears nil pointers of any shape.
func TestHintStopsACall(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want error
	}{
		{"a method", number(time.Hour), retry.ErrHint},
		{"a method beside Unwrap", &pointed{hint: time.Hour}, retry.ErrHint},
		{"below a method and Unwrap", &pointed{err: number(time.Hour)}, retry.ErrHint},
		{"a method beside Unwrap of several", &hintedList{}, retry.ErrHint},
		{"below several", list{errPlain, number(time.Hour)}, retry.ErrHint},
		{"below a method and several", &hintedList{list{errPlain}}, retry.ErrHint},
		{"nil, with Unwrap", (*pointed)(nil), retry.ErrExhausted},
		{"nil, with Unwrap of several", (*hintedList)(nil), retry.ErrExhausted},
		{"nil list", list(nil), retry.ErrExhausted},
		{"nil, with a method", (*lone)(nil), retry.ErrExhausted},
		{"nil, with Unwrap alone", (*wrapping)(nil), retry.ErrExhausted},
		{"nil error of a call", (*retry.Error)(nil), retry.ErrExhausted},
	} {
		fn, _ := always(test.err)
		if err := retry.Run(t.Context(), &retry.Policy{Idempotent: true, Backoff: immediate}, fn); !errors.Is(err, test.want) {
			t.Errorf("%s: %v; want %v", test.name, err, test.want)
		}
	}
}

type lone struct{ hint time.Duration }

func (*lone) Error() string               { return "lone" }
func (l *lone) RetryAfter() time.Duration { return l.hint }

type wrapping struct{ err error }

func (*wrapping) Error() string   { return "wrapping" }
func (w *wrapping) Unwrap() error { return w.err }
