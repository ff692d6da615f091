package inference

import (
	"fmt"
	"math"
	"reflect"

	"github.com/relent-go/relent/retry"
)

// deepest is how far into a value numbers are looked for; it ends values that contain themselves.
const deepest = 16

// finite refuses values in which a number is NaN or infinite.
func finite(v any) error {
	ok := true
	switch x := v.(type) { // the usual ones
	case float64:
		ok = number(x)
	case []float64:
		for _, f := range x {
			ok = ok && number(f)
		}
	default:
		ok = sound(reflect.ValueOf(v), deepest)
	}
	if !ok {
		return retry.Mark(fmt.Errorf("%w: %.100v", ErrNotFinite, v), retry.Permanent)
	}
	return nil
}

func number(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// sound visits the numbers of a value, unexported fields included.
func sound(v reflect.Value, depth int) bool {
	if depth == 0 {
		return true
	}
	switch v.Kind() {
	case reflect.Float32, reflect.Float64:
		return number(v.Float())
	case reflect.Complex64, reflect.Complex128:
		return number(real(v.Complex())) && number(imag(v.Complex()))
	case reflect.Pointer, reflect.Interface:
		return v.IsNil() || sound(v.Elem(), depth-1)
	case reflect.Slice, reflect.Array:
		switch v.Type().Elem().Kind() {
		case reflect.Uint8, reflect.String, reflect.Int, reflect.Int64:
			return true // long, and without what is looked for
		}
		for i := range v.Len() {
			if !sound(v.Index(i), depth-1) {
				return false
			}
		}
	case reflect.Map:
		for i := v.MapRange(); i.Next(); {
			if !sound(i.Value(), depth-1) {
				return false
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if !sound(v.Field(i), depth-1) {
				return false
			}
		}
	}
	return true
}
