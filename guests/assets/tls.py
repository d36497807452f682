#!/usr/bin/python3
# TLS in front of the guest's health server, on the ports of the arguments: one connection, one request, one answer of the server on
# port 1500, whatever that takes. The certificate is its own: the kubelet verifies none. Says "ready" once it listens everywhere.
import os, selectors, socket, ssl, subprocess, sys, threading

FOLDER = "/run/vmhealth"
KEY, CERTIFICATE = FOLDER + "/tls.key", FOLDER + "/tls.crt"
SERVER = ("127.0.0.1", 1500)
# As long as the server itself keeps a connection.
LONGEST = 600


def certificate():
    os.makedirs(FOLDER, exist_ok=True)
    if not os.path.exists(CERTIFICATE):
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        files = ["-keyout", KEY, "-out", CERTIFICATE + ".new"]
        subject = ["-days", "3650", "-subj", "/CN=vmhealth"]
        subprocess.run(["openssl", "req", "-x509", *curve, *files, *subject], check=True, stderr=subprocess.DEVNULL)
        os.rename(CERTIFICATE + ".new", CERTIFICATE)


def serve(client, context):
    try:
        client.settimeout(LONGEST)
        with context.wrap_socket(client, server_side=True) as tls:
            head = b""
            while b"\r\n\r\n" not in head and len(head) < 65536:
                chunk = tls.recv(4096)
                if not chunk:
                    return
                head += chunk
            with socket.create_connection(SERVER, LONGEST) as server:
                server.sendall(head)
                while chunk := server.recv(4096):
                    tls.sendall(chunk)
            tls.unwrap()
    except OSError:
        # The client is gone, or the server is.
        client.close()


certificate()
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE, KEY)
listeners = selectors.DefaultSelector()
for port in map(int, sys.argv[1:]):
    try:
        listeners.register(socket.create_server(("", port), backlog=128), selectors.EVENT_READ)
    except OSError as why:
        # A port that a service of the user's has is that service's.
        print(f"port {port}: {why}", file=sys.stderr)
print("ready", flush=True)
while True:
    for ready, _ in listeners.select():
        client, _ = ready.fileobj.accept()
        threading.Thread(target=serve, args=(client, context), daemon=True).start()
