/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way between an interface's stack and its host rings: opened by driver_host_open (driver.h), closed
 * with that port.
 */
#ifndef DRIVERS_HOST_STACK_H
#define DRIVERS_HOST_STACK_H

struct driver_port;

/*
 * Takes everything away that driver_host_open put in place, but for what the port's driver opened.
 * port->host is NULL afterwards.
 */
void host_stack_close(struct driver_port *port);

#endif
