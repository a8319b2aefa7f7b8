;; A plugin for proxies that adds its configuration to each response, as the header x-hello. It refuses to
;; start without a configuration. To assemble it: wat2wasm hello.wat
(module
  (import "env" "proxy_get_buffer_bytes"
    (func $get_buffer (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value"
    (func $add_header (param i32 i32 i32 i32 i32) (result i32)))

  ;; 0: the address of the configuration, 4: its length, 8: the name of the header, 1024 and up: the heap
  (memory (export "memory") 1)
  (data (i32.const 8) "x-hello")
  (global $heap (mut i32) (i32.const 1024))

  (func (export "proxy_abi_version_0_2_1"))

  ;; The proxy asks for memory to put the configuration in.
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (global.get $heap)
    (global.set $heap (i32.add (global.get $heap) (local.get $size))))

  (func (export "proxy_on_context_create") (param i32 i32))

  ;; 7 is the buffer of the configuration. The plugin starts if it has more than {}.
  (func (export "proxy_on_configure") (param $context i32) (param $size i32) (result i32)
    (drop (call $get_buffer
      (i32.const 7) (i32.const 0) (local.get $size) (i32.const 0) (i32.const 4)))
    (i32.gt_u (local.get $size) (i32.const 2)))

  ;; 2 are the headers of the response; 0 lets it go on.
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (drop (call $add_header
      (i32.const 2) (i32.const 8) (i32.const 7) (i32.load (i32.const 0)) (i32.load (i32.const 4))))
    (i32.const 0)))
