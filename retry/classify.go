package retry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
)

// DefaultClassify says what err means: by the marks of [Mark] and [After] first, by the call that
// gave up with an [*Error], and else by the types of the standard library's errors. Everything
// else is [Ambiguous]. It compares types and values, never message texts, and looks through
// wrapped errors from the outside in. Of errors joined side by side the most cautious counts:
// Permanent, then Ambiguous, Throttled, Transient.
//
// It does not know the caller's context: an attempt that failed because its caller gave up is told
// apart by [Do] itself. DefaultClassify(nil) is Permanent, since there is nothing to retry.
func DefaultClassify(err error) Class {
	if m, ok := err.(*marked); ok { // the usual case, without a walk
		return m.class
	}
	class, _ := classify(err)
	return class
}

// classify also says whether anything in err's tree was known.
func classify(err error) (class Class, known bool) {
	if err == nil {
		return Permanent, true
	}
	for err != nil {
		if class, known := one(err); known {
			return class, true
		}
		if isNil(err) {
			break
		}
		switch x := err.(type) {
		case interface{ Unwrap() error }:
			err = x.Unwrap()
		case interface{ Unwrap() []error }:
			return cautious(x.Unwrap())
		default:
			return Ambiguous, false
		}
	}
	return Ambiguous, false
}

// cautious returns the most cautious class among those known.
func cautious(errs []error) (class Class, known bool) {
	class = Transient
	for _, err := range errs {
		if err == nil {
			continue
		}
		c, ok := classify(err)
		if !ok {
			continue
		}
		known = true
		if caution(c) > caution(class) {
			class = c
		}
	}
	if !known {
		return Ambiguous, false
	}
	return class, true
}

func caution(c Class) int {
	switch c {
	case Transient:
		return 0
	case Throttled:
		return 1
	case Permanent:
		return 3
	}
	return 2
}

// one classifies the outermost error of a tree.
func one(err error) (Class, bool) {
	switch err {
	case context.Canceled:
		return Permanent, true
	case context.DeadlineExceeded, os.ErrDeadlineExceeded:
		return Ambiguous, true // a timeout after an unknown part of the work
	case net.ErrClosed:
		return Ambiguous, true
	case fs.ErrInvalid, fs.ErrPermission, fs.ErrExist, fs.ErrNotExist, fs.ErrClosed,
		os.ErrProcessDone, os.ErrNoDeadline:
		return Permanent, true
	}
	switch e := err.(type) {
	case *marked:
		return e.class, true
	case *Error:
		if e != nil {
			return e.Class(), true
		}
	case syscall.Errno:
		return errno(e)
	case *net.OpError:
		if e != nil {
			return operation(e)
		}
	case *net.DNSError:
		// Nothing was sent. A name that does not exist will not begin to; all else may pass.
		if e != nil && e.IsNotFound {
			return Permanent, true
		}
		return Transient, true
	case *url.Error:
		if e != nil && e.Op == "parse" {
			return Permanent, true
		}
	case *net.AddrError, *net.ParseError, net.UnknownNetworkError, net.InvalidAddrError,
		url.EscapeError, url.InvalidHostError:
		return Permanent, true
	case *tls.CertificateVerificationError, tls.RecordHeaderError, tls.AlertError, *tls.ECHRejectionError,
		x509.CertificateInvalidError, x509.HostnameError, x509.UnknownAuthorityError,
		x509.SystemRootsError, x509.UnhandledCriticalExtension, x509.InsecureAlgorithmError,
		x509.ConstraintViolationError:
		return Permanent, true
	}
	return Ambiguous, false
}

// operation classifies by what the network was doing. Until a connection stands nothing can have
// been sent, unless what stopped it will stop it every time.
func operation(e *net.OpError) (Class, bool) {
	switch {
	case e.Op == "dial", e.Op == "proxyconnect", strings.HasPrefix(e.Op, "socks"):
		if class, known := classify(e.Err); known && class == Permanent {
			return Permanent, true
		}
		return Transient, true
	case e.Op == "remote error", e.Op == "local error":
		return Permanent, true // crypto/tls: a TLS alert, such as protocol version or no common ALPN
	}
	return Ambiguous, true
}

// errno classifies a bare error of the operating system. Where a connection was at work it is
// wrapped in a *net.OpError, which is looked at first.
func errno(e syscall.Errno) (Class, bool) {
	switch e {
	case syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ENETDOWN, syscall.EHOSTDOWN,
		syscall.EADDRNOTAVAIL, syscall.EADDRINUSE, syscall.EAGAIN, syscall.EINTR, syscall.EBUSY, syscall.ETXTBSY,
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM:
		return Transient, true // refused before anything was done
	case syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE, syscall.ETIMEDOUT, syscall.EIO:
		return Ambiguous, true
	case syscall.EACCES, syscall.EPERM, syscall.ENOENT, syscall.EEXIST, syscall.EINVAL, syscall.ENOSYS,
		syscall.ENOTDIR, syscall.EISDIR, syscall.EROFS, syscall.ENOSPC, syscall.ENAMETOOLONG, syscall.EBADF,
		syscall.EAFNOSUPPORT, syscall.EPROTONOSUPPORT, syscall.EPROTOTYPE, syscall.EDESTADDRREQ, syscall.EMSGSIZE:
		return Permanent, true
	}
	return Ambiguous, false
}
