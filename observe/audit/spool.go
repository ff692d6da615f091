package audit

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/relent-go/relent/internal/durable"
)

// A Spool is a file that takes the records of a [Log] while its store cannot be reached. What it has taken is synced, survives a crash,
// and goes to the store, in order, as soon as that is back.
//
// One Log at a time uses a Spool. It must not be copied after first use.
type Spool struct {
	Path     string // of the file; its directory is made if it is not there
	MaxBytes int64  // beyond which nothing more is taken; not positive means 16 MiB, and more counts as that

	mu    sync.Mutex
	file  *os.File // guarded by mu, as all that follows
	lock  *os.File
	size  int64 // of what is durable
	read  int64 // of what has gone to the store
	dirty bool  // there may be more in the file than size
	wrap  func(*os.File) handle
}

// maxSpool keeps a spool to fewer records than every store remembers: after a crash all of it is appended again.
const maxSpool = 16 << 20

// ErrSpoolFull says that a spool has as much as it may.
var ErrSpoolFull = errors.New("the spool is full")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// open opens the file, and finds the end of what was taken. mu is held.
func (s *Spool) open() (err error) {
	if s.file != nil {
		return nil
	}
	if err := makeDir(filepath.Dir(s.Path), durable.SyncDir); err != nil {
		return err
	}
	held, err := durable.Lock(s.Path + ".lock")
	if err != nil {
		return err
	}
	file, err := os.OpenFile(s.Path, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = s.adopt(file)
	}
	if err == nil {
		err = durable.SyncDir(filepath.Dir(s.Path))
	}
	if err != nil {
		return errors.Join(err, held.Close())
	}
	s.file, s.lock, s.read, s.dirty = file, held, 0, true
	return nil
}

// adopt finds out how much of a file was written as a whole. What follows was never acknowledged, unless the file was damaged: it is copied to
// a file beside it.
func (s *Spool) adopt(file io.Reader) error {
	content, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	s.size = 0
	for line := range bytes.Lines(content) {
		if _, ok := parseSpooled(line); !ok {
			return os.WriteFile(s.Path+".torn", content[s.size:], 0o600)
		}
		s.size += int64(len(line))
	}
	return nil
}

// close lets go of the file.
func (s *Spool) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	err := errors.Join(s.file.Close(), s.lock.Close())
	s.file, s.lock = nil, nil
	return err
}

// appendSpooled appends a line: the checksum of a record, and the record.
func appendSpooled(b []byte, r *Record) []byte {
	body := r.AppendJSON(nil)
	b = fmt.Appendf(b, "%08x ", crc32.Checksum(body, castagnoli))
	return append(append(b, body...), '\n')
}

func parseSpooled(b []byte) (r Record, ok bool) {
	const sum = 8
	if len(b) < sum+2 || b[sum] != ' ' || b[len(b)-1] != '\n' {
		return r, false
	}
	want, err := strconv.ParseUint(string(b[:sum]), 16, 32)
	body := b[sum+1 : len(b)-1]
	if err != nil || uint64(crc32.Checksum(body, castagnoli)) != want {
		return r, false
	}
	r, err = ParseRecord(body)
	return r, err == nil
}

// put takes records, all or none.
func (s *Spool) put(records []Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.open(); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	var text []byte
	for i := range records {
		text = appendSpooled(text, &records[i])
	}
	if most := s.most(); s.size+int64(len(text)) > most {
		return fmt.Errorf("%w: %d bytes", ErrSpoolFull, most)
	}
	file := handle(s.file)
	if s.wrap != nil {
		file = s.wrap(s.file)
	}
	err := s.clean(file, s.size)
	if err == nil {
		s.dirty = true
		_, err = file.WriteAt(text, s.size)
	}
	if err == nil {
		err = file.Sync()
	}
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	s.dirty = false
	s.size += int64(len(text))
	return nil
}

func (s *Spool) most() int64 {
	if s.MaxBytes <= 0 || s.MaxBytes > maxSpool {
		return maxSpool
	}
	return s.MaxBytes
}

// clean cuts off what follows the durable part, as an append that failed or a crash may have left it.
func (s *Spool) clean(file handle, size int64) error {
	if !s.dirty {
		return nil
	}
	if err := errors.Join(file.Truncate(size), file.Sync()); err != nil {
		return err
	}
	s.dirty = false
	return nil
}

// next returns up to n records that have not gone to the store, and how many bytes they are.
func (s *Spool) next(n int) (records []Record, bytes int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		if _, err := os.Stat(s.Path); errors.Is(err, fs.ErrNotExist) {
			return nil, 0, nil
		}
	}
	if err := s.open(); err != nil {
		return nil, 0, fmt.Errorf("spool: %w", err)
	}
	r := newReader(io.NewSectionReader(s.file, s.read, s.size-s.read))
	for len(records) < n {
		b, size, err := readLine(r)
		if err == io.EOF {
			break
		}
		record, ok := parseSpooled(b)
		if err != nil || !ok {
			return nil, 0, fmt.Errorf("spool: %s is damaged at byte %d", s.Path, s.read+bytes)
		}
		records, bytes = append(records, record), bytes+size
	}
	return records, bytes, nil
}

// took says that the store has what next returned. An empty spool becomes an empty file.
func (s *Spool) took(bytes int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read += bytes
	if s.read < s.size {
		return nil
	}
	s.size, s.read, s.dirty = 0, 0, true
	return s.clean(s.file, 0)
}

// all returns the records that have not gone to the store.
func (s *Spool) all() ([]Record, error) {
	records, _, err := s.next(maxSpool)
	return records, err
}
