"""One client with keep-alive that asks a lot: shop.py ADDRESS PORT PER_S"""

import http.client
import sys
import time

client = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]))
while True:
    try:
        client.request("GET", "/")
        client.getresponse().read()
    except (OSError, http.client.HTTPException):
        client.close()
        client = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]))
    time.sleep(1 / float(sys.argv[3]))
