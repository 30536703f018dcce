# Stands in for the official Python image where no hub can be reached (deploy/containers.sh).
# python.tar is a CPython of the machine, or empty: then Debian's own is in the base already.
ARG BASE_IMAGE=stand-in-base
FROM ${BASE_IMAGE}
ADD python.tar /usr/local/
RUN ldconfig \
    && if [ -x /usr/local/bin/python3.12 ]; then \
         ln -sf python3.12 /usr/local/bin/python3 && python3.12 -m ensurepip; \
       fi \
    && ln -sf "$(command -v python3)" /usr/local/bin/python
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin
CMD ["python3"]
